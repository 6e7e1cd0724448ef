/** How this program is started again, here or elsewhere: `node`, its options, its script. */
export function ownCommand(): readonly string[] {
  return [process.execPath, ...process.execArgv, process.argv[1]]
}
