/** All that the model is asked: the tasks by their names. */
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
];

/**
 * Those whose names are given or begin with what is given and a hyphen: "names-image-image" is seven of them.
 *
 * @param names Left out: all
 * @throws Error where a name is none of a task
 */
export function selected(tasks: readonly Task[], names: readonly string[] | undefined): readonly Task[] {
  const isMeant = (task: Task, name: string) => task.name === name || task.name.startsWith(`${name}-`);
  const unknown = names?.filter((name) => !tasks.some((task) => isMeant(task, name))) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `no such task: ${unknown.join(", ")}. There are ${tasks.map((task) => task.name).join(", ")}`,
    );
  }
  return names ? tasks.filter((task) => names.some((name) => isMeant(task, name))) : tasks;
}
