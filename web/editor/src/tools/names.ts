// The tools there are.

export const toolNames = ["brush", "eraser", "smooth", "box", "ellipse", "lasso", "wand", "segment", "flood", "pick", "pan"] as const;
export type ToolName = (typeof toolNames)[number];
