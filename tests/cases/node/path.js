// flags: --module path
const path = require('path');
console.log(path.join('/a', '..', './b//c', 'd/..'), path.join(''), path.join('a', '', 'b'), path.normalize('/x/../..//y/./z/'), path.normalize('')); // expect: /b/c . a/b /y/z/ .
console.log(path.resolve('/a', 'b', '../c'), path.resolve('/a', '/b'), path.isAbsolute('a'), path.isAbsolute('/'), path.relative('/a/b/c', '/a/d'), path.relative('/a', '/a') === ''); // expect: /a/c /b false true ../../d true
console.log(path.basename('/a/b.txt'), path.basename('/a/b.txt', '.txt'), path.basename('a//'), path.dirname('/a/b/'), path.dirname('a'), path.dirname('/'), path.extname('a.b.c'), path.extname('.x') === '', path.extname('a.') ); // expect: b.txt b a /a . / .c true .
console.log(JSON.stringify(path.parse('/srv/u/f.tar.gz')), JSON.stringify(path.parse('./.rc')), path.format({ dir: '/d', name: 'n', ext: '.e' })); // expect: {"root":"/","dir":"/srv/u","base":"f.tar.gz","ext":".gz","name":"f.tar"} {"root":"","dir":".","base":".rc","ext":"","name":".rc"} /d/n.e
console.log(path.sep, path.delimiter, path.posix === path, require('node:path') === path, path.toNamespacedPath('/x')); // expect: / : true true /x
console.log([undefined, null, 1, {}].map((bad) => { try { return path.join('a', bad); } catch (e) { return `${e.name} ${e.code}`; } }).join()); // expect: TypeError ERR_INVALID_ARG_TYPE,TypeError ERR_INVALID_ARG_TYPE,TypeError ERR_INVALID_ARG_TYPE,TypeError ERR_INVALID_ARG_TYPE
