// Rows to text and back, every option, and what is refused.
// flags: --module csv
const c = require('csv');
const t = (f) => { try { console.log(JSON.stringify(f())); } catch (e) { console.log(e.name, e.code, e.message); } };
t(()=>c.parse('a,b\n1,"x, ""y"""\r\n\n2,"multi\nline"\n'));
t(()=>c.parse('\ufeffa,b\n1,2\n',{columns:true}));t(()=>c.parse('a,b\n1,2',{header:true,cast:true}));t(()=>c.parse('1;2\n3;4',{delimiter:';',columns:['x','y']}));
t(()=>c.parse('a\n1\ntrue\n007\n1e3\n-1.5\n12345678901234567890\n \nInfinity',{columns:true,cast:true}));
t(()=>c.parse('a , b\n 1, 2 ',{trim:true}));t(()=>c.parse('# no\na,b',{comment:'#'}));t(()=>c.parse("'a,b','it''s'",{quote:"'"}));t(()=>c.parse('"a\\"b",c',{escape:'\\'}));
t(()=>c.parse('a,b\n1'));t(()=>c.parse('a,b\n1',{relaxColumnCount:true}));t(()=>c.parse('a,b\n1\n1,2,3',{relaxColumnCount:true,columns:true}));t(()=>c.parse('a,b\n1,2',{columns:['a']}));
t(()=>c.parse(''));t(()=>c.parse('',{columns:true}));t(()=>c.parse('__proto__,a\n1,2',{columns:true}));t(()=>c.parse('a,a\n1,2',{columns:true}));t(()=>c.parse('"unclosed\nx,y'));
t(()=>c.parse('a,b',{cast:(v,{column,row})=>v+column+row}));
for(const o of [1,{delimiter:''},{delimiter:'ab'},{delimiter:1},{delimiter:'é'},{delimiter:'\n'},{columns:1},{columns:[1]},{cast:1},{trim:1},{delimiter:'"'}]) t(()=>c.parse('a',o));t(()=>c.parse(1));t(()=>c.parse());
t(()=>c.stringify([[1,'a,b','"q"',null,undefined,true,1.5,'x\ny',new Date(0),10n,NaN,{a:1}],['']]));
t(()=>c.stringify([{a:1,b:'x'},{b:2}]));t(()=>c.stringify([{a:1,b:'x'}],{columns:['b'],header:false,delimiter:'\t',lineEnd:'\r\n',quoted:true}));t(()=>c.stringify([]));t(()=>c.stringify([],{columns:['a'],header:true}));
t(()=>c.stringify(1));t(()=>c.stringify([1]));t(()=>c.stringify([[1],2]));t(()=>c.stringify([[1],{a:1}]));t(()=>c.stringify([[]]));t(()=>c.stringify([['a']],{lineEnd:'x'}));
// expect: [["a","b"],["1","x, \"y\""],["2","multi\nline"]]
// expect: [{"a":"1","b":"2"}]
// expect: [{"a":1,"b":2}]
// expect: [{"x":"1","y":"2"},{"x":"3","y":"4"}]
// expect: [{"a":1},{"a":true},{"a":"007"},{"a":1000},{"a":-1.5},{"a":"12345678901234567890"},{"a":" "},{"a":"Infinity"}]
// expect: [["a","b"],["1","2"]]
// expect: [["a","b"]]
// expect: [["a,b","it's"]]
// expect: [["a\"b","c"]]
// expect: Error CSV_RECORD_INCONSISTENT_FIELDS_LENGTH Invalid Record Length: expect 2, got 1 on line 2
// expect: [["a","b"],["1"]]
// expect: [{"a":"1"},{"a":"1","b":"2"}]
// expect: Error CSV_RECORD_INCONSISTENT_COLUMNS Invalid Record Length: columns length is 1, got 2 in record 1
// expect: []
// expect: []
// expect: [{"__proto__":"1","a":"2"}]
// expect: [{"a":"2"}]
// expect: [["unclosed\nx,y"]]
// expect: [["a00","b10"]]
// expect: TypeError ERR_INVALID_ARG_TYPE The "options" argument must be of type object. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_VALUE The property 'options.delimiter' must be one character. Received ''
// expect: TypeError ERR_INVALID_ARG_VALUE The property 'options.delimiter' must be one character. Received 'ab'
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.delimiter" property must be of type string. Received type number (1)
// expect: Error ERR_INVALID_ARG_VALUE The property 'options.delimiter' is no character of ASCII
// expect: Error ERR_INVALID_ARG_VALUE The property 'options.delimiter' is no character of ASCII
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.columns" property must be of type boolean or an array of strings. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.columns" property must be of type boolean or an array of strings. Received an instance of Array
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.cast" property must be of type boolean or function. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.trim" property must be of type boolean. Received type number (1)
// expect: [["a"]]
// expect: TypeError ERR_INVALID_ARG_TYPE The "text" argument must be of type string. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "text" argument must be of type string. Received undefined
// expect: "1,\"a,b\",\"\"\"q\"\"\",,,true,1.5,\"x\ny\",1970-01-01T00:00:00.000Z,10,NaN,\"{\"\"a\"\":1}\"\n\"\"\n"
// expect: "a,b\n1,x\n,2\n"
// expect: "\"x\"\r\n"
// expect: ""
// expect: "a\n"
// expect: TypeError ERR_INVALID_ARG_TYPE The "rows" argument must be an instance of Array. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "rows.0" property must be an instance of Array or Object. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "rows.1" property must be an instance of Array or Object. Received type number (2)
// expect: "a\n1\n1\n"
// expect: "\"\"\n"
// expect: TypeError ERR_INVALID_ARG_VALUE The property 'options.lineEnd' must be \n or \r\n. Received 'x'
