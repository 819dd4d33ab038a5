// The Mustache specification's examples, and what is bounded.
// flags: --module template
const { render, escape } = require('template');
const show = (...given) => console.log(JSON.stringify(render(...given)));
show('Hello {{name}}, {{ a.b.c }} {{{raw}}} {{&raw}} {{missing}}{{a.x.y}}!', { name: '<"\'&>', a: { b: { c: 1 } }, raw: '<b>' }); // expect: "Hello &lt;&quot;&#39;&amp;&gt;, 1 <b> <b> !"
show('{{#list}}{{.}},{{/list}}{{^list}}none{{/list}}', { list: [1, 2, 3] }); // expect: "1,2,3,"
show('{{#list}}{{.}},{{/list}}{{^list}}none{{/list}}', { list: [] }); // expect: "none"
show('{{#person}}{{name}} of {{town}}{{/person}}', { person: { name: 'Ann' }, town: 'Ulm' }); // expect: "Ann of Ulm"
show('Begin.\n  {{#yes}}\n  line\n  {{/yes}}\n{{! gone }}\nEnd.', { yes: true }); // expect: "Begin.\n  line\nEnd."
show('a {{! comment\nof two lines }} b', {}); // expect: "a  b"
show('| {{#yes}} {{! x }}\n {{/yes}} |\r\n{{=<% %>=}}\r\n<% n %> {{n}} <%={{ }}=%>{{n}}', { yes: 1, n: 5 }); // expect: "|  \n  |\r\n5 {{n}} 5"
show('{{#rows}}\n{{#cells}}{{.}} {{/cells}}\n{{/rows}}', { rows: [{ cells: [1, 2] }, { cells: [3] }] }); // expect: "1 2 \n3 \n"
show(' \\\n {{>p}}\n/', { content: '<\n->' }, { p: '|\n{{{content}}}\n|\n' }); // expect: " \\\n |\n <\n->\n |\n/"
show('{{>tree}}', { v: 1, kids: [{ v: 2, kids: [{ v: 3, kids: [] }] }] }, { tree: '{{v}}<{{#kids}}{{>tree}}{{/kids}}>' }); // expect: "1<2<3<>>>"
show('[{{>nope}}]', {}); // expect: "[]"
show('{{n}}{{t}}{{f}}{{u}}{{z}}', { n: null, t: true, f: false, u: undefined, z: 0 }); // expect: "truefalse0"
show('{{x}}', { x: '<' }, {}, { escape: (text) => `[${text}]` }); // expect: "[<]"
show('{{list.length}} {{s.length}} {{when.getTime}}', { list: [1, 2], s: 'abc', when: new Date(0) }); // expect: "2 3 "
console.log(escape('<a href="x">\'&')); // expect: &lt;a href=&quot;x&quot;&gt;&#39;&amp;

// Nothing is called, and nothing is found that every object has.
show('[{{f}}{{#f}}x{{/f}}][{{constructor}}{{toString}}{{__proto__}}{{constructor.name}}]', { f() { throw 1; } }); // expect: "[x][]"
class Person { get name() { return 'getter'; } }
show('{{name}}', new Person()); // expect: "getter"

for (const f of [() => render(), () => render('x', {}, 'p'), () => render('{{>p}}', {}, { p: 1 }), () => render('{{#a}}'), () => render('x\n{{/a}}'), () => render('{{#a}}{{/b}}'), () => render('{{a'), () => render('{{}}'), () => render('{{=x=}}'), () => render('', 0, {}, { maxLength: -1 }), () => render('', 0, {}, { escape: 1 })]) {
  try { console.log('no error', f()); } catch (e) { console.log(e.code, e.message); }
}
// expect: ERR_INVALID_ARG_TYPE The "template" argument must be of type string. Received undefined
// expect: ERR_INVALID_ARG_TYPE The "partials" argument must be of type object. Received type string ('p')
// expect: ERR_INVALID_ARG_TYPE The "partials.p" property must be of type string. Received type number (1)
// expect: ERR_TEMPLATE_SYNTAX {{#a}} is not ended: it begins in line 1
// expect: ERR_TEMPLATE_SYNTAX {{/a}} ends nothing in line 2
// expect: ERR_TEMPLATE_SYNTAX {{/b}} ends {{#a}} in line 1
// expect: ERR_TEMPLATE_SYNTAX "{{" without "}}" in line 1
// expect: ERR_TEMPLATE_SYNTAX a tag without a name in line 1
// expect: ERR_TEMPLATE_SYNTAX delimiters are two, and have no = in line 1
// expect: ERR_OUT_OF_RANGE The value of "options.maxLength" is out of range. It must be >= 0 && <= 16777216. Received -1
// expect: ERR_INVALID_ARG_TYPE The "options.escape" property must be of type function. Received type number (1)

const nested = (n) => '{{#a}}'.repeat(n) + 'x' + '{{/a}}'.repeat(n);
console.log(render(nested(100), { a: { a: 1 } })); // expect: x
try { render(nested(101), { a: 1 }); } catch (e) { console.log(e.code); } // expect: ERR_TEMPLATE_SYNTAX
try { render('{{>p}}', {}, { p: '{{>p}}' }); } catch (e) { console.log(e.code); } // expect: ERR_TEMPLATE_DEPTH
console.log(render('x'.repeat(10), 0, {}, { maxLength: 10 }).length); // expect: 10
try { render('x'.repeat(11), 0, {}, { maxLength: 10 }); } catch (e) { console.log(e.code); } // expect: ERR_TEMPLATE_TOO_LARGE
try { render('{{#a}}'.repeat(8) + 'x'.repeat(1000) + '{{/a}}'.repeat(8), { a: Array(10).fill(1) }); } catch (e) { console.log(e.code); } // expect: ERR_TEMPLATE_TOO_LARGE
console.log(render('{{a}} '.repeat(20000), { a: 1 }).length); // expect: 40000
// A section that is not ended: the line is where it begins.
for (const text of ['a\nb\n{{#x}}\n\nc', '{{#y}}\n{{#x}}{{/x}}\n', '\n{{^z}}']) try { render(text, {}); } catch (e) { console.log(e.code, e.message); } // expect: ERR_TEMPLATE_SYNTAX {{#x}} is not ended: it begins in line 3
// expect: ERR_TEMPLATE_SYNTAX {{#y}} is not ended: it begins in line 1
// expect: ERR_TEMPLATE_SYNTAX {{#z}} is not ended: it begins in line 2
