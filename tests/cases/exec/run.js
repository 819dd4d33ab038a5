// Programs that the operator lists: text that comes back, statuses, arguments that are nothing but arguments.
// flags: --module exec --module fs --root ROOT --allow-exec /bin/echo --allow-exec /bin/cat --allow-exec shell=/bin/sh --allow-exec /usr/bin/env --allow-exec /bin/ls
// file: sub/file.txt inside
const { run, execFile, spawn } = require('exec'), fs = require('fs');
const thrown = (f) => { try { return f(); } catch (e) { return `${e.code}: ${e.message}`; } };
console.log(JSON.stringify(run('echo', ['a  b', '$HOME', '`id`', '; ls', '*', 'x\ny', '|', '']))); // expect: "a  b $HOME `id` ; ls * x\ny | \n"
console.log(run('/bin/echo', [1, 'two']).trim(), JSON.stringify(run('cat')), run('cat', [], { input: 'given' }), run('cat', ['sub/file.txt'])); // expect: 1 two "" given inside
console.log(run('cat', ['file.txt'], { cwd: 'sub' }), thrown(() => run('cat', [], { cwd: '..' })).slice(0, 6), thrown(() => run('cat', [], { cwd: '/' })).slice(0, 6), thrown(() => run('cat', [], { cwd: 'none' })).slice(0, 6)); // expect: inside EACCES EACCES ENOENT
try { run('shell', ['-c', 'echo out; echo err >&2; exit 3']); } catch (e) { console.log(e instanceof Error, e.code, e.status, JSON.stringify(e.output)); } // expect: true EXIT_STATUS 3 "out\nerr\n"
try { run('shell', ['-c', 'kill -9 $$']); } catch (e) { console.log(e.status, e.signal, e.message); } // expect: null SIGKILL shell was killed by SIGKILL
console.log(run('env').trim().split('\n').sort().join()); // expect: LANG=C.UTF-8,PATH=/usr/local/bin:/usr/bin:/bin
console.log(run('ls', ['-1', '/proc/self/fd']).trim().split('\n').join()); // expect: 0,1,2,3
for (const name of ['ls -l', 'id', 'sh', '/bin/sh -c id', '../bin/echo', 'ECHO', '', 'x\0y', '/bin/../bin/echo']) console.log(thrown(() => run(name)).slice(0, 12));
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
// expect: NOT_GRANTED:
console.log(thrown(() => run('echo', ['a\0b'])).slice(0, 7), thrown(() => run('echo', ['x'.repeat(70000)])).slice(0, 6), thrown(() => run('echo', 'x')), thrown(() => run('env', [], { env: { LD_PRELOAD: 'x' } })).slice(0, 12)); // expect: EINVAL: E2BIG: undefined: run: argument 2 (args): expected an array NOT_GRANTED:
// The program's directory is the one that was opened; `sleep` is killed with its own.
console.log(thrown(() => run('shell', ['-c', 'sleep 60 & sleep 60'], { timeout: 100 }))); // expect: ETIMEDOUT: ETIMEDOUT: the program took longer than 100 ms and was killed (`timeout`, or `timeout_ms` of module 'exec' in the template)
console.log(thrown(() => run('shell', ['-c', 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done'])).slice(0, 8)); // expect: ENOBUFS:

const both = await execFile('shell', ['-c', 'echo out; echo err >&2; exit 4']);
console.log(JSON.stringify(both), (await execFile('cat', [], { input: new Uint8Array([255, 0]), encoding: null })).stdout.join()); // expect: {"stdout":"out\n","stderr":"err\n","status":4,"signal":null} 255,0
console.log((await Promise.all(Array.from({ length: 8 }, (_, i) => execFile('shell', ['-c', `sleep 0.1; echo ${i}`])))).map((e) => e.stdout.trim()).join('')); // expect: 01234567
console.log((await Promise.allSettled(Array.from({ length: 9 }, () => execFile('cat', [], {})))).filter((e) => e.reason?.code === 'EAGAIN').length <= 1); // expect: true
const said = [];
const process = spawn('shell', ['-c', 'echo one; sleep 0.05; echo two >&2; exit 5']);
for await (const { stream, data } of process) said.push(stream + data.trim());
console.log(said.join(), JSON.stringify(await process.wait())); // expect: stdoutone,stderrtwo {"status":5,"signal":null}
const endless = spawn('shell', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.02; done']);
let heard = '';
await new Promise((done) => endless.on('stdout', (text) => { heard += text; done(); }));
endless.kill(); endless.kill('SIGKILL');
console.log(heard.trim(), JSON.stringify(await endless.wait()), thrown(() => endless.kill('SIGSTOP')).slice(0, 25)); // expect: ready {"status":null,"signal":"SIGKILL"} undefined: kill: 'SIGSTOP
console.log(await execFile('none').catch((e) => e.code), thrown(() => spawn('none')).slice(0, 11)); // expect: NOT_GRANTED NOT_GRANTED
