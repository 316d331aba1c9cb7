/**
 * Removes from logs what must never be there: values under telling names, passwords in URLs, bearer tokens. Works on
 * the finished line, because a secret may come by a field, a binding, an error or its stack. No guarantee for prompts
 * and answers: those are never logged.
 */
export const redacted = '[redacted]';

const names = [
  ...['password', 'passwd', 'pwd', 'secret', 'client_?secret', 'token', '(?:access|refresh|id|auth)_?token', 'jwt'],
  ...['api_?key', 'private_?key', 'authorization', 'assertion', 'cookie', 'set-cookie', 'x-api-key'],
  ...['rok_[a-z_]+_key', '[a-z0-9_]+_(?:api_key|secret|token|password)'],
].join('|');
const text = '"(?:[^"\\\\]|\\\\.)*"';
const secretField = new RegExp(`"(${names})":(?:${text}|\\[(?:${text},?)*\\]|-?[0-9.]+)`, 'gi');
const urlPassword = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*):[^\s@/"']+@/gi;
const bearer = /\bBearer\s+[\w~+/.=-]{8,}/gi;

/** Text with the passwords of its URLs and its bearer tokens taken out. */
export function redactText(line: string): string {
  return line.replace(urlPassword, `$1:${redacted}@`).replace(bearer, `Bearer ${redacted}`);
}

/** A line of JSON, the same with secret-named fields as well. */
export function redactLine(line: string): string {
  return redactText(line.replace(secretField, `"$1":"${redacted}"`));
}
