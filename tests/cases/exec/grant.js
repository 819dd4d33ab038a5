// The grant names some of the operator's programs, the variables that they have, and their bounds.
// flags: --module exec={"programs":["env","shell","not-listed"],"env":{"FIXED":"1","FREE":null},"timeout_ms":300,"output_kb":1} --root ROOT --allow-exec /bin/echo --allow-exec /usr/bin/env --allow-exec shell=/bin/sh
const { run, execFile } = require('exec');
const thrown = (f) => { try { return f(); } catch (e) { return e.message; } };
console.log(run('env', [], { env: { FREE: 'x=y' } }).trim().split('\n').sort().join()); // expect: FIXED=1,FREE=x=y,LANG=C.UTF-8,PATH=/usr/local/bin:/usr/bin:/bin
console.log(thrown(() => run('env', [], { env: { FIXED: '2' } }))); // expect: the variable 'FIXED': not granted; `env` of module 'exec' in the template would have to
console.log(thrown(() => run('echo'))); // expect: 'echo' (among those of serve --allow-exec): not granted; `programs` of module 'exec' in the template would have to
console.log(thrown(() => run('not-listed')).slice(0, 12)); // expect: 'not-listed'
console.log(run('shell', ['-c', 'head -c 1024 /dev/zero']).length, thrown(() => run('shell', ['-c', 'head -c 1025 /dev/zero'])).slice(0, 8)); // expect: 1024 ENOBUFS:
const began = Date.now();
console.log(thrown(() => run('shell', ['-c', 'sleep 10'], { timeout: 100000 })).slice(0, 9), Date.now() - began < 3000); // expect: ETIMEDOUT true
