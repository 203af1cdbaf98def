// What the editor reads of the studio's API: the parts of TaskDetail, Edit and Scores that it uses.
// The generated schema.d.ts has all of it; test/schema.ts checks that the two agree.

import type { Source } from "../history.ts";
import type { WireMap } from "../grid.ts";
import type { Region } from "../geometry.ts";

export interface ClassScore {
  readonly class: number;
  readonly name: string;
  readonly probability: number;
}

export interface Scores {
  readonly probabilities: readonly number[];
  readonly top: readonly ClassScore[];
  readonly correct: boolean;
  readonly milliseconds: number;
}

export interface Edit {
  readonly id: number;
  readonly revision: number;
  readonly author_id: number;
  readonly author: string;
  readonly state: "draft" | "submitted" | "approved" | "rejected";
  readonly source: "painted" | "model" | "generator";
  readonly map: WireMap;
  readonly created_at: string;
  readonly history?: unknown;
}

export interface Review {
  readonly revision: number;
  readonly reviewer: string;
  readonly verdict: "approve" | "reject";
  readonly comment: string;
  readonly created_at: string;
}

export interface Lease {
  readonly user_id: number;
  readonly user_name: string;
  readonly expires_at: string;
  readonly mine: boolean;
}

export interface Image {
  readonly id: number;
  readonly name: string;
  readonly label?: number;
  readonly width: number;
  readonly height: number;
}

export type TaskState = "open" | "leased" | "submitted" | "approved" | "changes-requested" | "skipped";

export interface TaskCard {
  readonly id: number;
  readonly version_id: number;
  readonly state: TaskState;
  readonly image: Image;
  readonly label_name: string;
  readonly prediction: {
    readonly class: number;
    readonly confidence: number;
    readonly correct: boolean;
    readonly top: readonly ClassScore[];
    readonly map: WireMap;
  };
}

/** What the values of a map do to the features, in the server's words: annotator.Mechanism. */
export interface Mechanism {
  readonly formula: string; // "" where it is none of those that are known
  readonly at_zero?: number; // the factor under a cell of 0
  readonly at_one?: number;
  readonly zero: string; // what a cell of 0 is: "hidden"
  readonly values: string;
  readonly dark: string;
  readonly spotlight: string;
  readonly clear: string;
}

export interface TaskDetail extends TaskCard {
  readonly project: {
    readonly slug: string;
    readonly name: string;
    readonly classes: readonly { readonly index: number; readonly name: string }[];
  };
  readonly version: {
    readonly id: number;
    readonly number: number;
    readonly model_hash: string;
    readonly manifest?: unknown;
  };
  readonly mechanism: Mechanism;
  readonly edit?: Edit;
  readonly reviews: readonly Review[];
  readonly lease?: Lease;
  readonly view: Region;
}

/** Where a branch looks for a class, by CAM or Grad-CAM, as the method's formula gives it. */
export interface ActivationMap {
  readonly method: string;
  readonly branch: string;
  readonly class: number;
  readonly h: number;
  readonly w: number;
  readonly values: readonly number[];
  readonly min: number;
  readonly max: number;
}

export interface ActivationQuery {
  readonly method: string;
  readonly branch: string;
  readonly class: number;
  readonly map?: WireMap; // what the perception branch is given
}

export interface TaskPage {
  readonly tasks: readonly TaskCard[];
  readonly total: number;
}

export interface Draft {
  readonly base_revision: number;
  readonly source: Source;
  readonly map: WireMap;
  readonly history: unknown;
  readonly provenance: unknown;
}
