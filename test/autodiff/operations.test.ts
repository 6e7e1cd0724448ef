/** Every operation's derivative, and the derivative of that, is what finite differences say. */
import type { OperationName } from '../../src/core/operations.js'
import { elementwiseDerivatives } from './cases/elementwise.js'
import { movementDerivatives } from './cases/movement.js'
import { structureDerivatives } from './cases/structure.js'
import { sumDerivatives } from './cases/sums.js'
import type { Derivatives } from './support/cases.js'
import { testDerivatives } from './support/suite.js'

/** Composites have a table of their own. */
const derivatives: Derivatives<Exclude<OperationName, 'composite'>> = {
  ...elementwiseDerivatives,
  ...movementDerivatives,
  ...sumDerivatives,
  ...structureDerivatives,
}

testDerivatives('derivatives of operations', derivatives)
