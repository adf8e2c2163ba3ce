/** The files of the console, as they are served. */

/** A file, as it is and compressed. */
export interface ConsoleFile {
  readonly type: string
  readonly etag: string
  readonly identity: Uint8Array
  readonly br: Uint8Array
  readonly gzip: Uint8Array
}

export interface ConsoleFiles {
  /** Undefined: there is none of this name. Rejects where the console was not built. */
  get(name: string): Promise<ConsoleFile | undefined>
}
