// A script's last value is its completion value, and `run` prints it.
const { six, seven } = { six: 6, seven: 7 };
six * seven; // expect: 42
