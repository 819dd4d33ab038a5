// A JSON file that is none is named.
// flags: --root ROOT
// file: data.json { "a": 1, }
// exit: 1
// expect-error: Module "data.json" is not JSON: key must be a string at line 1 column 11
import data from './data.json';
