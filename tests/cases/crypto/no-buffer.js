// not-node: there `Buffer` is a global, here it is where the template lists `buffer`
// flags: --module crypto
console.log(typeof Buffer, typeof require('crypto').randomBytes(1).constructor.from); // expect: undefined function
try { require('buffer'); } catch (e) { console.log(e.message.slice(0, 23)); } // expect: Invalid module "buffer"
