/** English words that look like made-up names (`nonsense.ts`) and that the recipe itself does not say. */
export const englishWords: ReadonlySet<string> = new Set(
  `
    bad bag bale bam ban bap bat bed beg bet bid big bile bin bit biz blab bled blip blob blog blot blub bob
    bog bole bom bop bot box bud bug bum bun but dab dad dal dale dam den did dig dim din dino dip dole dot
    drab drag dram drat dreg drip drop drug drum dub dud dug fab fad fan fat fed fen fez fib fig fin fit fix
    fob fog fop fox fum fun gab gag gal gale gap gel get gig giga gin gob god got goto gum gun gut kale ken
    kid kin kit klan klub lab lad lag lap lax led leg let lib lid lip lit lob log lop lot loto lox lug mad
    mag male man map mat max mega mel men met mid mil mimi mix mob mod mole mom mono mop mud mug mule mum mun
    nab nag nan nap neb net nib nil nip nob nod not nub nun nut pad pal pale pan pap papa para pat peg pen
    pep peso pet pig pile pin pit pod pom pop pot pram prep prim prod prof prole prom prop pub pun pup put
    rad rag ram ran rap rat red rib rid rig rile rim rip rob rod role rom rot rub rug rule rum run rut sad
    sag saga sale sap sat semi set sex sim sin sip sit six sob sod sole son sop sot sub sum sun tab tad tag
    tale tan tap tax ted teg ten tig til tile tin tip tole tom ton top tot trad tram trap trek trim trip trod
    tron trot tub tug tule tut tux vale van vap vat vet veto vex vile vim vole vox wad wag wan wax web wed
    wet wig win wit wok won zag zap zed zen zig zip
  `
    .trim()
    .split(/\s+/),
);
