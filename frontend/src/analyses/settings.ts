/** The settings of an analysis in one line, under their names in a request. What is not set is left out. */
export function settingsOf(config: object): string {
  return Object.entries(config)
    .filter(([name, value]) => name !== 'kind' && value !== null)
    .map(([name, value]) => `${name} ${readable(value)}`)
    .join(' · ');
}

function readable(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .filter(([, inner]) => inner !== null)
    .map(([name, inner]) => `${name} ${readable(inner)}`)
    .join(', ');
}
