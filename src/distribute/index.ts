/** Several workers: which of them this process is, starting them, and keeping them going. */
export { checkHosts, readHosts, type Host } from './launch/hosts.js'
export { checkMpirun, mpirunInstall } from './launch/mpirun.js'
export { askProgram, installCommand, isOnPath } from './launch/programs.js'
export { slurmScript, submitToSlurm } from './launch/slurm.js'
export { SupervisorLink } from './supervise/link.js'
export { supervisorVariable } from './supervise/messages.js'
export { Supervisor, type Elastic, type SupervisorWatcher } from './supervise/supervisor.js'
export { describeWorld, readWorld, type World } from './world.js'
