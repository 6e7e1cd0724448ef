/** Turns a table of derivatives into tests. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { TalwegError } from '../../../src/core/errors.js'
import type { Derivatives } from './cases.js'
import { assertGradients, gradientOf } from './gradients.js'

export function testDerivatives<N extends string>(title: string, derivatives: Derivatives<N>): void {
  suite(title, () => {
    for (const name of Object.keys(derivatives) as N[]) {
      const { kind, cases, refused = [] } = derivatives[name]
      test(kind === 'real' ? `${name} has the derivative of differences` : `${name} has the derivative zero`, async () => {
        assert.ok(cases.length > 0)
        for (const gradientCase of cases) {
          const found = await gradientOf(gradientCase)
          const isZero = found.every(({ data }) => data.every((x) => x === 0))
          if (kind !== 'real') assert.ok(isZero, `${gradientCase.what}: the derivative is zero`)
          if (kind !== 'stopped') await assertGradients(gradientCase)
        }
      }) // prettier-ignore
      if (refused.length === 0) continue
      test(`${name} of other kinds is refused`, async () => {
        for (const gradientCase of refused) {
          await assert.rejects(gradientOf(gradientCase), hasNoDerivative, gradientCase.what)
        }
      })
    }
  })
}

function hasNoDerivative(error: unknown): boolean {
  return error instanceof TalwegError && error.code === 'NOT_DIFFERENTIABLE'
}
