// A key that takes years ends with the script's time.
// flags: --module crypto --cpu-ms 300
// exit: 124
// expect-error: CPU
// within-ms: 4000
require('crypto').pbkdf2Sync('p', 's', 2147483647, 64, 'sha512');
