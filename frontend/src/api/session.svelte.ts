/** Whether the server has asked for a token. The prompt watches this; every refused call sets it. */
export const session = $state({ needed: false });
