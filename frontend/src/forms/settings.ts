/** Read the free-form settings of a job: a JSON object, or nothing. Throws an Error that says what is wrong. */
export function parseSettings(text: string): Record<string, unknown> {
  if (!text.trim()) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`Further settings are not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Error('Further settings must be a JSON object such as {"width": 32}');
  }
  return parsed as Record<string, unknown>;
}
