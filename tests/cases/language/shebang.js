#!/usr/bin/env vm-system
// A first line with #! is skipped.
'still line 3'; // expect: 'still line 3'
