/** Text that two pieces of plain data share exactly if they are equal: for finding what has been seen before. */
export class Texts {
  private readonly identities = new Map<object, number>()

  of(value: unknown): string {
    if (Array.isArray(value)) return `[${value.map((element) => this.of(element)).join()}]`
    if (ArrayBuffer.isView(value)) return this.ofData(value)
    if (typeof value === 'object' && value !== null) {
      let text = ''
      for (const [name, entry] of Object.entries(value)) text += `${name}:${this.of(entry)};`
      return `{${text}}`
    }
    return Object.is(value, -0) ? '-0' : String(value)
  }

  /** A number for an object itself, whatever is in it. */
  identityOf(object: object): number {
    const known = this.identities.get(object)
    if (known !== undefined) return known
    this.identities.set(object, this.identities.size)
    return this.identities.size - 1
  }

  /** Small arrays are compared by their bits, large ones by identity. */
  private ofData(data: ArrayBufferView): string {
    if (data.byteLength > maxComparedBytes) return `#${this.identityOf(data)}`
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return `${bytes.length}"${String.fromCharCode(...bytes)}"`
  }
}

const maxComparedBytes = 1024
