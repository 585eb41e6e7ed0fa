/** Whether the server needs a token. Every refused call sets it, and the prompt watches it. */
export const session = $state({ needed: false });
