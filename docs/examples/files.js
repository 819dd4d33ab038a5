// vm-system run docs/examples/files.js --module fs --root docs/examples
const fs = require('fs');

const source = fs.readFileSync('hello.js');
console.log('hello.js has', source.split('\n').length - 1, 'lines');

for (const path of ['../../Makefile', '/etc/hostname']) {
  try {
    fs.readFileSync(path);
  } catch (error) {
    console.log(error.message);
  }
}
