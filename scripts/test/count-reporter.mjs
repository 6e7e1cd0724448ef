/** A reporter for Node's test runner that counts the tests that really ran; a file without any counts as none. */
export default async function* countReporter(events) {
  let executed = 0
  for await (const { type, data } of events) {
    const isTest = data?.details?.type !== 'suite' && data?.skip === undefined && data?.todo === undefined
    const isFile = data?.nesting === 0 && (data?.name ?? '').endsWith('.test.ts')
    if ((type === 'test:pass' || type === 'test:fail') && isTest && !isFile) executed++
  }
  yield JSON.stringify({ executed })
}
