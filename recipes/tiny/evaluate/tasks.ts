/** All that the model is asked: the tasks by their names. */
import { shotCounts } from "./demonstrations.js";
import type { World } from "./drawn.js";
import type { Task } from "./task.js";
import { bindingTasks, omniglotTasks } from "./tasks/bindings.js";
import { cifar10Task, tinyImageNetTask } from "./tasks/photographs.js";
import { questionsTask } from "./tasks/questions.js";
import { scenesTask, stylesTask } from "./tasks/scenes.js";
import { newStyleTask, thingsTask } from "./tasks/things.js";
import type { TestSets } from "./testSets.node.js";

/** In the order of the report. */
export const tasksOf = (world: World, { cifar10, tinyImageNet, omniglot }: TestSets): readonly Task[] => [
  thingsTask(world),
  newStyleTask(world),
  scenesTask(world),
  questionsTask(world),
  ...(cifar10.length > 0 ? [cifar10Task({ ...world, photographs: cifar10 })] : []),
  ...(tinyImageNet.length > 0 ? [tinyImageNetTask({ ...world, photographs: tinyImageNet })] : []),
  ...bindingTasks(world),
  ...(omniglot.length > 0 ? omniglotTasks(world, omniglot) : []),
  stylesTask(world),
  ...shotCounts.map((shots) => scenesTask(world, shots)),
  ...shotCounts.map((shots) => questionsTask(world, shots)),
  ...(cifar10.length > 0
    ? shotCounts.map((shots) => cifar10Task({ ...world, photographs: cifar10 }, shots))
    : []),
];

/**
 * Those whose names are given; a name that is none of a task stands for those that begin with it and a hyphen:
 * "names-image-image" for seven of them, "shots" for all with examples before the query.
 *
 * @param names Left out: all
 * @throws Error where there are none of a name
 */
export function selected(tasks: readonly Task[], names: readonly string[] | undefined): readonly Task[] {
  const isName = new Set(tasks.map(({ name }) => name));
  const isMeant = (task: Task, name: string) =>
    isName.has(name) ? task.name === name : task.name.startsWith(`${name}-`);
  const unknown = names?.filter((name) => !tasks.some((task) => isMeant(task, name))) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `no such task: ${unknown.join(", ")}. There are ${tasks.map((task) => task.name).join(", ")}`,
    );
  }
  return names ? tasks.filter((task) => names.some((name) => isMeant(task, name))) : tasks;
}
