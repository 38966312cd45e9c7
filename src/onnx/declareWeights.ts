/**
 * The weights of an ONNX file, declared as external data, so that the file stays small and their memory is given beside
 * it. A message that stands twice in protocol buffers is one, the fields of both together: so the declarations are put
 * after a model, which is the same wherever its weights lie.
 */
import { bytesOf, type DType, elementCount, onnxTypes } from "../base/dtypes.js";
import { type Field, message } from "../base/protobuf.js";
import { weightLocation } from "../runtime/runtime.js";

/** Where a weight lies in a file. */
export interface FilePlace {
  readonly file: string;
  readonly offset: number;
}

interface DeclaredWeight {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * @param model an ONNX file without the weights that its nodes name, as `emit` makes it
 * @param placeOf where each weight lies; of those in memory, `weightLocation` says how they are called
 */
export function declareWeights(
  model: Uint8Array,
  weights: readonly DeclaredWeight[],
  placeOf: (name: string) => FilePlace | undefined = () => undefined,
): Uint8Array {
  const graph = message(weights.map((weight): Field => [5, declare(weight, placeOf(weight.name))]));
  const declarations = message([[7, graph]]);
  const all = new Uint8Array(model.length + declarations.length);
  all.set(model);
  all.set(declarations, model.length);
  return all;
}

function declare({ name, dtype, shape }: DeclaredWeight, place: FilePlace | undefined): Uint8Array {
  const entry = (key: string, value: string) =>
    message([
      [1, key],
      [2, value],
    ]);
  const placed = (offset: number, length: number): Field[] => [
    [13, entry("offset", String(offset))],
    [13, entry("length", String(length))],
  ];
  return message([
    ...shape.map((dim): Field => [1, dim]),
    [2, onnxTypes[dtype]],
    [8, name],
    [13, entry("location", place?.file ?? weightLocation(name))],
    ...(place ? placed(place.offset, bytesOf[dtype] * elementCount(shape)) : []),
    [14, 1], // external
  ]);
}
