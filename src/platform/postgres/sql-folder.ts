/** Where the migrations are: beside the sources, whether these are compiled or not. */
import { fileURLToPath } from 'node:url';

export const sqlFolder = fileURLToPath(new URL('../../../sql', import.meta.url));
