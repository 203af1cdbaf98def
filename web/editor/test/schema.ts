// The types the editor reads the API with, against those generated from the API's description. There is nothing to
// run: `npm run check` fails where the two disagree.

import type { components } from "../src/api/schema.d.ts";
import type { ActivationMap, Edit, Lease, Scores, TaskDetail, TaskPage } from "../src/api/types.ts";

type Schemas = components["schemas"];
type Loose<T> = T extends readonly (infer U)[] ? readonly Loose<U>[] : T extends object ? { readonly [K in keyof T]: Loose<T[K]> | undefined } : T extends string ? string : T;

/** Compiles only where From can be read as To, apart from enumerations and optional fields. */
type Reads<From extends To, To> = From;

export type Checked = [
  Reads<Loose<Schemas["Scores"]>, Loose<Pick<Scores, "probabilities" | "top" | "correct">>>,
  Reads<Loose<Schemas["Lease"]>, Loose<Lease>>,
  Reads<Loose<Schemas["Edit"]>, Loose<Omit<Edit, "history">>>,
  Reads<Loose<Schemas["ActivationMap"]>, Loose<ActivationMap>>,
  Reads<Loose<Schemas["TaskPage"]>, Loose<TaskPage>>,
  Reads<Loose<Schemas["TaskDetail"]>, Loose<Omit<TaskDetail, "edit" | "version">>>,
];
