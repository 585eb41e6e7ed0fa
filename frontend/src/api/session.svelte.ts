/**
 * Whether the server needs a token: every refused call sets it, and the prompt watches it.
 * And whether this browser is signed in.
 */
export const session = $state({ needed: false, signedIn: false });
