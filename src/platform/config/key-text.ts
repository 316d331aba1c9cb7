/**
 * Whether a text that should name a file is a key itself, as it is when somebody put the key where its path belongs. Such a text
 * never appears in a message. Deliberately no search for secrets in text: redaction.ts does that for logs.
 */
export const isKeyText = (text: string): boolean => /^\s*[{[]|-----BEGIN|^\s*eyJ|["\n]/.test(text);
