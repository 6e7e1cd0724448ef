/** A binary heap of indices, smallest key first; equal keys by index, so that the order never depends on insertion. */
export class Heap {
  private readonly items: number[] = []

  constructor(private readonly keyOf: (item: number) => number) {}

  push(item: number): void {
    const { items } = this
    let child = items.push(item) - 1
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.isBefore(item, items[parent])) break
      items[child] = items[parent]
      child = parent
    }
    items[child] = item
  }

  pop(): number | undefined {
    const { items } = this
    const first = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return first
    let parent = 0
    for (;;) {
      let child = 2 * parent + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.isBefore(items[child + 1], items[child])) child++
      if (!this.isBefore(items[child], last)) break
      items[parent] = items[child]
      parent = child
    }
    items[parent] = last
    return first
  }

  private isBefore(one: number, other: number): boolean {
    const difference = this.keyOf(one) - this.keyOf(other)
    return difference < 0 || (difference === 0 && one < other)
  }
}
