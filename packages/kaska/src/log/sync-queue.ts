/** Syncs of all logs, a limited number at a time. */
export class SyncQueue {}
