/** The arguments of the file that runs, as the request gave them. */
declare const __ARGS__: any;
/** The environment of the file that runs, as the request gave it. */
declare const __ENV__: any;

