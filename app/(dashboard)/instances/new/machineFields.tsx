import { money } from "#app/time.ts";
import { SelectField } from "#app/ui/field.tsx";
import type { Draft, Options } from "./draft.ts";

type Props = {
  draft: Draft;
  options: Options | undefined;
  errors: Record<string, string>;
  edit: (part: Partial<Draft>) => void;
};

export function MachineFields({ draft, options, errors, edit }: Props) {
  const size = options?.sizes.find((one) => one.slug === draft.size);
  return (
    <div className="grid gap-5 sm:grid-cols-3">
      <SelectField
        id="region"
        label="Region"
        value={draft.region}
        error={errors.region}
        onChange={(event) => edit({ region: event.target.value })}
      >
        {options?.regions.map((region) => (
          <option key={region.slug} value={region.slug}>
            {region.name}
          </option>
        ))}
      </SelectField>
      <SelectField
        id="size"
        label="Size"
        value={draft.size}
        error={errors.size}
        hint={
          size === undefined
            ? undefined
            : `${size.memoryMb / 1024} GB memory, ${size.vcpus} CPU, ${size.diskGb} GB disk`
        }
        onChange={(event) => edit({ size: event.target.value })}
      >
        {options?.sizes
          .filter((one) => one.regions.includes(draft.region))
          .map((one) => (
            <option key={one.slug} value={one.slug}>
              {one.name}, {money(one.priceMonthlyCents)} a month
            </option>
          ))}
      </SelectField>
      <SelectField
        id="version"
        label="Version"
        value={draft.version}
        error={errors.version}
        onChange={(event) => edit({ version: event.target.value })}
      >
        {options?.versions.map((version, index) => (
          <option key={version} value={version}>
            {version}
            {index === 0 ? ", newest" : ""}
          </option>
        ))}
      </SelectField>
    </div>
  );
}
