// YAML 1.2 to values and back, and what is hostile: depth, aliases, recursion, many documents.
// flags: --module yaml --cpu-ms 20000 --wall-ms 60000
// within-ms: 40000
const y = require('yaml');
const t = (f) => { try { console.log(JSON.stringify(f())); } catch (e) { console.log(e.name, e.code, e.message); } };
t(()=>y.parse('a: 1\nb: [1, 2.5, "x", null, ~, true, yes, 0x1f, 0o17, 017, 1_000, 1e3, .inf, -.inf, 2024-01-01]\n? k\n: v'));
t(()=>y.parse('.nan'));console.log(y.parse('[.nan, .inf, -.inf]').join());
t(()=>y.parse(''));t(()=>y.parse('a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}'));
t(()=>y.parse('a: 1\na: 2'));t(()=>y.parse('a: [1'));t(()=>y.parse('--- 1\n--- 2'));t(()=>y.parseAll('--- 1\n--- 2\n---\n--- {a: b}'));
t(()=>y.parse('!!str 1'));t(()=>y.parse('!foo 1'));t(()=>y.parse('!!binary aGVsbG8='));t(()=>y.parse('1: a\ntrue: b\nnull: c\n1.5: d'));t(()=>y.parse('[a]: b'));t(()=>y.parse('__proto__: {x: 1}'));
t(()=>y.parse('a: |\n  x\n  y\nb: >\n  x\n  y\n'));
t(()=>y.parse('123456789012345678901234567890'));t(()=>y.parse('-0'));t(()=>y.parse('9007199254740993'));
t(()=>y.stringify({a:1,b:[1,'x',null,true,{c:[]}],d:{},e:'1',f:'true',g:'multi\nline\n',h:'a: b',i:1.5,j:-0,k:1e21,l:'',m:' x ',n:'yes',o:'#',p:undefined,q:NaN,r:10n,s:new Date(0),t:'null',u:'\u0000\u2028é😀',v:[[1],[2]],w:[{a:1,b:2}]}));
console.log(y.stringify({a:1,b:[1,'x',null,true,{c:[]}],d:{},g:'multi\nline\n',v:[[1],[2]],w:[{a:1,b:2}],z:{y:{x:1}}}));
console.log(y.stringify({z:{y:{x:1}}},{indent:4}));
t(()=>y.stringify(undefined));t(()=>y.stringify('x'));t(()=>y.stringify([]));t(()=>y.parse(1));t(()=>y.stringify(1,{indent:0}));
const nest=(n)=>'['.repeat(n)+']'.repeat(n);
t(()=>JSON.stringify(y.parse(nest(100))).length);t(()=>y.parse(nest(101)));t(()=>y.parse(nest(1e6)));t(()=>y.parse('{a: '.repeat(1e5)));t(()=>y.parse(Array.from({length:2000},(_, i)=>' '.repeat(i)+'a:').join('\n')));
t(()=>y.parse('- '.repeat(1e5)));t(()=>y.parse('? '.repeat(1e5)));t(()=>y.parse('"'.repeat(1e6)));t(()=>y.parse('&a '.repeat(1e5)));t(()=>y.parse('!'.repeat(1e6)));t(()=>y.parse('a'.repeat(4<<20)).length);t(()=>y.parse('a'.repeat((4<<20)+1)));
t(()=>y.parse('a: &a [x,x,x,x,x,x,x,x,x]\n'+'bcdefghij'.split('').map((c,i)=>`${c}: &${c} [${Array(9).fill('*'+'abcdefghi'[i]).join()}]`).join('\n')));
t(()=>y.parse('a: &a '+'x'.repeat(1e6)+'\nb: ['+Array(1000).fill('*a').join()+']'));
t(()=>y.parse('&a [*a]'));
let deep=[];for(let i=0;i<126;i++)deep=[deep];t(()=>y.stringify(deep).length);for(let i=0;i<5;i++)deep=[deep];t(()=>y.stringify(deep));
t(()=>y.parse('['+'1,'.repeat(249990)+']').length);t(()=>y.parse('['+'1,'.repeat(250010)+']').length);
t(()=>y.parseAll('--- 1\n'.repeat(1000)).length);t(()=>y.parseAll('--- 1\n'.repeat(1001)).length);
t(()=>y.parseAll(('--- \na: &a '+'x'.repeat(1000)+'\nb: ['+Array(99).fill('*a').join()+']\n').repeat(400)).length);
// expect: {"a":1,"b":[1,2.5,"x",null,null,true,"yes",31,15,17,"1_000",1000,null,null,"2024-01-01"],"k":"v"}
// expect: null
// expect: NaN,Infinity,-Infinity
// expect: null
// expect: {"a":{"b":1},"c":{"b":1},"d":{"e":2,"b":1}}
// expect: Error ERR_YAML duplicate mapping key: a at line 2, column 1
// expect: Error ERR_YAML unclosed bracket '[' at line 1, column 4
// expect: Error ERR_YAML multiple YAML documents detected: parseAll reads them at line 2, column 5
// expect: [1,2,{"a":"b"}]
// expect: "1"
// expect: 1
// expect: "hello"
// expect: {"1":"a","true":"b","null":"c","1.5":"d"}
// expect: Error ERR_YAML a key that is a sequence or a mapping has no name in JavaScript at line 1, column 1
// expect: {"__proto__":{"x":1}}
// expect: {"a":"x\ny\n","b":"x y\n"}
// expect: 1.2345678901234568e+29
// expect: 0
// expect: 9007199254740992
// expect: "a: 1\nb:\n- 1\n- x\n- null\n- true\n- c: []\nd: {}\ne: \"1\"\nf: \"true\"\ng: |\n  multi\n  line\nh: \"a: b\"\ni: 1.5\nj: 0\nk: 1.0e+21\nl: \"\"\nm: \" x \"\n\"n\": \"yes\"\no: '#'\nq: null\nr: 10\ns: \"1970-01-01T00:00:00.000Z\"\nt: \"null\"\nu: \"\\0\\Lé😀\"\nv:\n- - 1\n- - 2\nw:\n- a: 1\n  b: 2\n"
// expect: a: 1
// expect: b:
// expect: - 1
// expect: - x
// expect: - null
// expect: - true
// expect: - c: []
// expect: d: {}
// expect: g: |
// expect:   multi
// expect:   line
// expect: v:
// expect: - - 1
// expect: - - 2
// expect: w:
// expect: - a: 1
// expect:   b: 2
// expect: z:
// expect:   "y":
// expect:     x: 1
// expect: 
// expect: z:
// expect:     "y":
// expect:         x: 1
// expect: 
// expect: "null\n"
// expect: "x\n"
// expect: "[]\n"
// expect: TypeError ERR_INVALID_ARG_TYPE The "text" argument must be of type string. Received type number (1)
// expect: RangeError ERR_OUT_OF_RANGE The value of "options.indent" is out of range. It must be >= 1 && <= 8. Received 0
// expect: 200
// expect: Error ERR_YAML recursion limit exceeded at line 1, column 101
// expect: Error ERR_YAML recursion limit exceeded at line 1, column 101
// expect: Error ERR_YAML recursion limit exceeded at line 1, column 401
// expect: Error ERR_YAML budget breached: Depth { depth: 101 } at line 101, column 101
// expect: Error ERR_YAML budget breached: Depth { depth: 101 } at line 1, column 201
// expect: Error ERR_YAML budget breached: Depth { depth: 101 } at line 1, column 201
// expect: Error ERR_YAML invalid trailing content after double-quoted scalar at line 1, column 3
// expect: Error ERR_YAML did not find expected <document start> at line 1, column 4
// expect: Error ERR_YAML while parsing a tag, did not find expected tag URI at line 1, column 1
// expect: 4194304
// expect: Error ERR_BUFFER_TOO_LARGE more than 4194304 bytes of text
// expect: Error ERR_YAML alias replay limit exceeded: total_replayed_events=250001 > 250000 at line 1, column 25 (defined at line 5, column 7) (used at line 6, column 14)
// expect: Error ERR_BUFFER_TOO_LARGE more than 41943040 bytes of text
// expect: Error ERR_YAML recursive references require weak recursion types at line 1, column 5
// expect: 255
// expect: Error ERR_YAML recursion limit exceeded at line 1 column 128
// expect: 249990
// expect: Error ERR_YAML budget breached: Nodes { nodes: 250001 } at line 1, column 500000
// expect: 1000
// expect: Error ERR_YAML budget breached: Documents { documents: 1001 } at line 1001, column 1
// expect: 400
