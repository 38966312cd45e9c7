/** Words that the recipe's texts say beside the names of things: none of them is ever a made-up name. */
export const recipeWords: readonly string[] = [
  "Output Question Short answer There is are photo of look I see a an the some and to left right above below top bottom x",
  "none one two three four five six seven eight nine ten",
  "What is this it does the image show kind thing Which group How many are there do you see Is Do in Where seen from",
  "True or false yes no right that nature food travel activity object things belong to group smaller than bigger",
];
