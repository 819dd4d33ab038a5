// A byte order mark is skipped.
"after bom"; // expect: 'after bom'
