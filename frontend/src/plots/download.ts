/** Save a file that was made in the browser. */
export function download(filename: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = filename;
  link.click();
  // The browser may read it after click() has returned.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The name of a job or data set as part of a file name. */
export function slug(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 60) || 'plot';
}
