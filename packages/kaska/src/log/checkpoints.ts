/** Which logs were written since their checkpoint, and when to write the next one. */
export class Checkpoints {}
