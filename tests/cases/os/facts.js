// Constants, and nothing of the machine.
// flags: --module os
const os = require('os');
console.log(JSON.stringify(os.EOL), os.platform(), os.type(), os.arch(), os.machine(), os.endianness()); // expect: "\n" linux Linux wasm32 wasm32 LE
console.log(os.availableParallelism(), os.devNull, require('node:os') === os, Object.isFrozen(os)); // expect: 1 /dev/null true true
for (const name of ['hostname', 'userInfo', 'homedir', 'networkInterfaces', 'totalmem', 'cpus', 'uptime', 'release', 'tmpdir']) if (name in os) console.log(name);
