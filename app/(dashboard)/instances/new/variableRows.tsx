"use client";
import { Plus, X } from "lucide-react";
import { addVariableId, focusVariableAfter } from "#app/(dashboard)/_instances/focusVariable.ts";
import { Button } from "#app/ui/button.tsx";
import { AreaField, TextField } from "#app/ui/field.tsx";
import type { VariableInput } from "#server/instances/inputs.ts";
import { suggestVariableName } from "#server/instances/rules.ts";

type Props = {
  variables: VariableInput[];
  errors: Record<string, string>;
  onChange: (variables: VariableInput[]) => void;
  leave: (name: string) => () => void;
};

export function VariableRows({ variables, errors, onChange, leave }: Props) {
  const set = (index: number, part: Partial<VariableInput>) =>
    onChange(variables.map((one, at) => (at === index ? { ...one, ...part } : one)));
  return (
    <div className="grid gap-4">
      {errors.variables !== undefined && (
        <p id="variables" className="text-sm text-bad-ink">
          {errors.variables}
        </p>
      )}
      {variables.map((variable, index) => {
        const path = `variables.${index}`;
        const better = suggestVariableName(variable.name);
        return (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity, and their fields are controlled
            key={index}
            className="grid items-start gap-3 sm:grid-cols-[minmax(0,2fr)_minmax(0,4fr)_auto_auto]"
          >
            <TextField
              id={`${path}.name`}
              label="Variable name"
              mono
              autoComplete="off"
              spellCheck={false}
              value={variable.name}
              error={errors[`${path}.name`]}
              repair={
                better !== variable.name && better !== ""
                  ? { label: `Use ${better}`, onRepair: () => set(index, { name: better }) }
                  : undefined
              }
              onBlur={leave(`${path}.name`)}
              onChange={(event) => set(index, { name: event.target.value })}
            />
            <AreaField
              id={`${path}.value`}
              label="Variable value"
              rows={1}
              spellCheck={false}
              autoComplete="off"
              masked={variable.secret}
              value={variable.value}
              error={errors[`${path}.value`]}
              onBlur={leave(`${path}.value`)}
              onChange={(event) => set(index, { value: event.target.value })}
            />
            {/* On a phone both share a line. */}
            <div className="flex items-center justify-between sm:contents">
              <label className="touch flex items-center gap-2 text-sm sm:mt-8">
                <input
                  type="checkbox"
                  className="size-4 accent-(--ink)"
                  checked={variable.secret}
                  onChange={(event) => set(index, { secret: event.target.checked })}
                />
                Secret
              </label>
              <div className="sm:mt-6.5">
                <Button
                  look="bare"
                  aria-label={`Remove ${variable.name || `variable ${index + 1}`}`}
                  onClick={() =>
                    focusVariableAfter(
                      () => onChange(variables.filter((_, at) => at !== index)),
                      Math.min(index, variables.length - 2),
                    )
                  }
                >
                  <X size={15} strokeWidth={1.9} aria-hidden />
                </Button>
              </div>
            </div>
          </div>
        );
      })}
      <div>
        <Button
          id={addVariableId}
          onClick={() =>
            focusVariableAfter(
              () => onChange([...variables, { name: "", value: "", secret: false }]),
              variables.length,
            )
          }
        >
          <Plus size={15} strokeWidth={1.9} aria-hidden />
          Add variable
        </Button>
      </div>
    </div>
  );
}
