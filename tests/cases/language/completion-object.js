// An object as completion value is shown as console.log shows it inside of another.
({ name: 'ada', tags: ['x', 'y'], n: 1 }); // expect: { name: 'ada', tags: [ 'x', 'y' ], n: 1 }
