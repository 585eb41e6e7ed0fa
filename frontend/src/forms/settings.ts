import { ApiError } from '../api/problem';

/** Read the free-form settings of a job: a JSON object, or nothing. Throws an ApiError that says what is wrong. */
export function parseSettings(text: string): Record<string, unknown> {
  if (!text.trim()) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refused(`This is not JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw refused('This must be a JSON object, such as {"width": 32}.');
  }
  return parsed as Record<string, unknown>;
}

function refused(detail: string): ApiError {
  return new ApiError({ status: 0, title: 'The configuration as JSON cannot be read', detail, errors: [] });
}
