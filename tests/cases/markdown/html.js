// Markdown to HTML: what is understood, and that what is not trusted is safe to show.
// flags: --module markdown
const m = require('markdown');
const t = (f) => { try { console.log(JSON.stringify(f())); } catch (e) { console.log(e.name, e.code, e.message); } };
t(()=>m.toHtml('# Hi *there*\n\n| a | b |\n|--|:-:|\n| 1 | 2 |\n\n~~x~~\n- [x] done\n- [ ] no\n\n<script>alert(1)</script>\n\na <b onclick=x>b</b> & `<c>`'));
t(()=>m.toHtml('<b>x</b> [a](javascript:x)',{rawHtml:true}));
t(()=>m.toHtml('[a](javascript:alert) [b](JaVa&#x09;Script:x) [c](http://x?a=b&c=d) [d](/rel:x) [e](#f:g) [f](data:text/html,x) ![g](data:x) [h](mailto:a@b) <javascript:x> <https://ok.example> [i](&#1;javascript:x) [j][k]\n\n[k]: vbscript:x'));
t(()=>m.toHtml('a\nb',{breaks:true}));t(()=>m.toHtml('"x" -- y...',{smart:true}));t(()=>m.toHtml('# H {#i .c onclick=alert(1)}',{headingIds:true}));t(()=>m.toHtml('a[^1]\n\n[^1]: note',{footnotes:true}));t(()=>m.toHtml('|a|\n|-|\n|b|',{gfm:false}));t(()=>m.toHtml('~~a~~',{strikethrough:false}));
t(()=>m.toHtml(1));t(()=>m.toHtml('',{gfm:1}));t(()=>m.toHtml(''));t(()=>m.toHtml('x',1));
// expect: "<h1>Hi <em>there</em></h1>\n<table><thead><tr><th>a</th><th style=\"text-align: center\">b</th></tr></thead><tbody>\n<tr><td>1</td><td style=\"text-align: center\">2</td></tr>\n</tbody></table>\n<p><del>x</del></p>\n<ul>\n<li><input disabled=\"\" type=\"checkbox\" checked=\"\"/>\ndone</li>\n<li><input disabled=\"\" type=\"checkbox\"/>\nno</li>\n</ul>\n&lt;script&gt;alert(1)&lt;/script&gt;\n<p>a &lt;b onclick=x&gt;b&lt;/b&gt; &amp; <code>&lt;c&gt;</code></p>\n"
// expect: "<p><b>x</b> <a href=\"javascript:x\">a</a></p>\n"
// expect: "<p><a href=\"\">a</a> <a href=\"\">b</a> <a href=\"http://x?a=b&amp;c=d\">c</a> <a href=\"/rel:x\">d</a> <a href=\"#f:g\">e</a> <a href=\"\">f</a> <img src=\"\" alt=\"g\" /> <a href=\"mailto:a@b\">h</a> <a href=\"\">javascript:x</a> <a href=\"https://ok.example\">https://ok.example</a> <a href=\"\">i</a> <a href=\"\">j</a></p>\n"
// expect: "<p>a<br />\nb</p>\n"
// expect: "<p>“x” – y…</p>\n"
// expect: "<h1 id=\"i\" class=\"c\">H</h1>\n"
// expect: "<p>a<sup class=\"footnote-reference\"><a href=\"#1\">1</a></sup></p>\n<div class=\"footnote-definition\" id=\"1\"><sup class=\"footnote-definition-label\">1</sup>\n<p>note</p>\n</div>\n"
// expect: "<p>|a|\n|-|\n|b|</p>\n"
// expect: "<p>~~a~~</p>\n"
// expect: TypeError ERR_INVALID_ARG_TYPE The "text" argument must be of type string. Received type number (1)
// expect: TypeError ERR_INVALID_ARG_TYPE The "options.gfm" property must be of type boolean. Received type number (1)
// expect: ""
// expect: TypeError ERR_INVALID_ARG_TYPE The "options" argument must be of type object. Received type number (1)
