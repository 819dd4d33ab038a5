// Texts whose first character beyond ASCII is anywhere in a word of eight bytes.
// flags: --module fs --root ROOT
const fs = require('fs');
let wrong = 0;
for (const other of ['', 'é', '€', '😀', 'ÿ\u0080']) {
  for (let length = 0; length < 18; length++) {
    for (let at = 0; at <= length; at++) {
      const text = 'abcdefgh'.repeat(3).slice(0, at) + other + 'x'.repeat(length - at);
      fs.writeFileSync('text', text);
      if (fs.readFileSync('text', 'utf8') !== text) wrong++;
      if (other === '') break;
    }
  }
}
console.log(wrong); // expect: 0
