// What the operator allows is still the template's to grant.
// flags: --allow-env PATH --module env
const env = require('env');
console.log(env.get('PATH'), JSON.stringify(env.all())); // expect: undefined {}
