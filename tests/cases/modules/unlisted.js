// A module that isn't listed can't be required: an Error says so, and nothing else happens.
for (const name of ['fs', 'node:fs', 'exec', 'database', 'child_process', 'nope', '', '../fs', 'FS ', '__proto__', 'constructor', 'toString']) {
  try { require(name); console.log('required', name); }
  catch (e) { if (!(e instanceof Error) || !e.message.includes('Invalid module')) console.log(name, String(e)); }
}
try { require(); } catch (e) { console.log(e instanceof Error); } // expect: true
try { require({ toString() { return 'fs'; } }); } catch (e) { console.log(e instanceof Error); } // expect: true
try { require('fs'); } catch (e) { console.log(e.message.includes('Invalid module')); } // expect: true
