// What packages ask of a process.
export const __process = { env: {}, cwd: () => '/', argv: [], execArgv: [], platform: 'linux', emitWarning() {} };
