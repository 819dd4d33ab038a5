// A string alone is shown bare, inside of something else it is quoted.
console.log('bare', 1, -0, 1.5, NaN, 10n, true, null, undefined, Symbol('s')); // expect: bare 1 -0 1.5 NaN 10n true null undefined Symbol(s)
console.log(['in', 1, -0, 10n, null, undefined, Symbol('s')]); // expect: [ 'in', 1, -0, 10n, null, undefined, Symbol(s) ]
console.log(["it's", 'a "b"', 'a\nb', '\\']); // expect: [ "it's", 'a "b"', 'a\nb', '\\' ]
console.log('😀', ['é']); // expect: 😀 [ 'é' ]
