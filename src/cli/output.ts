/**
 * What commands print. Results go to standard output, and with `--json` nothing else does; messages (what engine was
 * chosen, that a run goes on) go to standard error, so that `talweg … --json | jq` always works. An error is a message:
 * with `--json` too it is text on standard error, and the exit code says its kind.
 */
import path from 'node:path'

export class Output {
  constructor(readonly isJson: boolean) {}

  /** Whether a person is watching. */
  get isTerminal(): boolean {
    return !this.isJson && process.stderr.isTTY === true
  }

  /** A line for people about what is going on. */
  message(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  warning(text: string): void {
    this.message(`warning: ${text}`)
  }

  /** The result: an object for programs, or text for people. */
  result(object: unknown, text: () => string): void {
    process.stdout.write(this.isJson ? `${JSON.stringify(object)}\n` : ensureLineEnd(text()))
  }

  /** A piece of the result that comes while the command works. */
  line(text: string): void {
    process.stdout.write(`${text}\n`)
  }
}

function ensureLineEnd(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

/** A path as the user would write it: from the working directory where it lies under that. */
export function shortPath(file: string): string {
  if (!path.isAbsolute(file)) return file
  const relative = path.relative(process.cwd(), file)
  return relative === '' ? '.' : relative.startsWith('..') ? file : relative
}

/** Columns lined up; numbers are given as text and lined up to the right. */
export function formatTable(rows: readonly (readonly string[])[], isRight: readonly boolean[]): string {
  const widths = isRight.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const lines = rows.map((row) =>
    row.map((cell, column) => (isRight[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))),
  )
  return lines.map((cells) => cells.join('  ').trimEnd()).join('\n')
}

/** `1.3 GB`: three digits at most, in powers of 1000. */
export function formatBytes(sizeBytes: number): string {
  return formatCount(sizeBytes, ['B', 'kB', 'MB', 'GB', 'TB'], ' ')
}

/** `10.8M`. */
export function formatCount(value: number, units: readonly string[] = ['', 'k', 'M', 'G', 'T'], space = ''): string {
  let scaled = value
  let unit = 0
  for (; scaled >= 999.5 && unit < units.length - 1; unit++) scaled /= 1000
  const digits = unit === 0 ? String(Math.round(scaled)) : scaled.toPrecision(3)
  return `${digits}${space}${units[unit]}`
}

/** `1:02:03`, `4:05`, `12 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}
