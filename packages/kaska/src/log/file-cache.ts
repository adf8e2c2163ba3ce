/** Open files, a limited number, counted by their readers. */
export class FileCache {}
